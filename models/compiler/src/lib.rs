//! ONNX to int8 plans.
