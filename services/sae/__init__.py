"""The sparse autoencoder on the subject, cut after block N: directions, image scores, activation maps, top pairs."""
