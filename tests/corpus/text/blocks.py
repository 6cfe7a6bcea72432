"""Building blocks of the text model: embeddings of tokens."""

import tensorflow as tf

tf1 = tf.compat.v1
UNITS = 32


def encode(tokens):
    """Return the embeddings of the tokens."""
    return tf.nn.embedding_lookup(tf1.get_variable("embeddings", [400, UNITS]), tokens)
