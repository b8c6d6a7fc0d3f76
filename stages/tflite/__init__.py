"""TFLite models and the tensors that they read, for every domain and on the device."""
