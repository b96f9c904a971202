//! The `microtome` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    microtome::cli::main()
}
