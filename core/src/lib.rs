//! int8 U-Nets, executed row by row: no heap, no frame buffer.
#![no_std]
#![deny(unsafe_code)]
