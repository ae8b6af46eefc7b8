"""What happens when it runs? The only package that runs a model."""
