"""Container images: base, build, and the stages that test and publish them."""
