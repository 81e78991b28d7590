"""The profiles that come with the program, one TOML file each; read by `services.serving.profile`."""
