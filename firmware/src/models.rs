//! What is known of the zoo's plans when a program is built: programs for one of them leave out the code of operators that
//! it does not have.

include!(concat!(env!("OUT_DIR"), "/operators.rs"));
