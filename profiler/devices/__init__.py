"""How long does a cost take there? Specifications of devices, calibration, prediction and measurement."""
