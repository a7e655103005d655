"""The multi-exposure network where torch is not installed: as an ONNX model that OpenCV computes."""
