"""What can be measured of a network without running it: receptive fields, and the memory of activations. No torch."""
