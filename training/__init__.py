"""The recipe of the default French model: base weights, data, training, export, evaluation."""
