//! The i64 oracle and the conformance suites.
