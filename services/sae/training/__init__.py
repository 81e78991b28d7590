"""Training of TopK autoencoders on the residual stream of a subject, cut after block N (METHOD §3).

`python -m services.sae.training` (`steerscope sae train`) reads images and writes an SAE that this service, and the
dictionary_learning package, can load. The trainer follows that package's TopKTrainer (0.1.0), so that curves compare;
`trainer.py` lists where it differs on purpose. Legend: b batch, p patches, d width, s SAE width, k kept.
"""
