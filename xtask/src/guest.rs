//! Emulated Cortex-M machines that run cases: `tests/guest`, fed with what `microtome-tests`' `corpus` wrote.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::setup;

/// A QEMU machine, and what is built for it.
pub struct Machine {
    /// Short name of the CPU.
    pub name: &'static str,
    board: &'static str,
    target: &'static str,
    cpu: &'static str,
    /// The kernel that must run, which is also the Cargo feature that brings it.
    pub kernel: &'static str,
    /// For QEMU's `-icount`: 2 to the power of this many nanoseconds pass with an instruction, as the guest takes it.
    shift: u32,
}

/// One machine for each kernel and CPU that it is for.
pub const MACHINES: [Machine; 3] = [
    Machine {
        name: "M4",
        board: "mps2-an386",
        target: "thumbv7em-none-eabihf",
        cpu: "cortex-m4",
        kernel: "thumbv7em-dsp",
        shift: 6,
    },
    Machine {
        name: "M7",
        board: "mps2-an500",
        target: "thumbv7em-none-eabihf",
        cpu: "cortex-m7",
        kernel: "thumbv7em-dsp",
        shift: 6,
    },
    Machine {
        name: "M55",
        board: "mps3-an547",
        target: "thumbv8m.main-none-eabihf",
        cpu: "cortex-m55",
        kernel: "thumbv8m-mve",
        shift: 5,
    },
];

impl Machine {
    /// Lints core's kernels and the guest for this machine.
    ///
    /// # Errors
    /// There is something to say.
    pub fn lint(&self, sh: &Shell) -> Result<()> {
        let Machine { target, kernel, .. } = self;
        cmd!(sh, "cargo clippy --quiet -p microtome-core --target {target} --features {kernel} -- -D warnings")
            .run()?;
        let _folder = sh.push_dir("tests/guest");
        cmd!(sh, "cargo fmt --check").run()?;
        cmd!(sh, "cargo clippy --quiet --release --target {target} --features {kernel} -- -D warnings").run()?;
        Ok(())
    }

    /// Has cases written (`corpus` with these arguments, in which FILE stands for the file) and runs them; returns what was
    /// printed.
    ///
    /// # Errors
    /// A case failed, another kernel ran, or QEMU did not end.
    pub fn run(&self, sh: &Shell, corpus: &[&str]) -> Result<String> {
        let program = self.build(sh)?;
        let folder = sh.create_temp_dir()?;
        let file = folder.path().join("cases.bin");
        let file = file.to_str().context("the folder for temporary files is not UTF-8")?;
        let corpus = corpus.iter().map(|&argument| if argument == "FILE" { file } else { argument });
        cmd!(sh, "cargo run --quiet -p microtome-tests --bin corpus -- {corpus...}").quiet().run()?;
        let _folder = sh.push_dir(folder.path());
        let (board, icount) = (self.board, format!("shift={}", self.shift));
        let semihosting = ["-semihosting-config", "enable=on,target=native"];
        // The guest reads `cases.bin` from where QEMU was started.
        let qemu = ["qemu-system-arm", "-machine", board, "-nographic", "-icount", &icount];
        let printed = cmd!(sh, "timeout 300 {qemu...} {semihosting...} -kernel {program}").quiet().stdin("").read();
        printed.with_context(|| format!("{board}: the guest did not succeed"))
    }

    /// Builds the guest; returns the program.
    fn build(&self, sh: &Shell) -> Result<PathBuf> {
        setup::tools(sh, &[setup::QEMU_ARM])?;
        setup::targets(sh, &[self.target])?;
        let Machine { target, kernel, cpu, .. } = self;
        let folder = crate::bench::target(sh).join("guest").join(cpu);
        let _folder = sh.push_dir("tests/guest");
        let _flags = sh.push_env("RUSTFLAGS", format!("-C target-cpu={cpu}"));
        let place = ["--target-dir".as_ref(), folder.as_os_str()];
        cmd!(sh, "cargo build --quiet --release --target {target} --features {kernel} {place...}").run()?;
        Ok(folder.join(target).join("release/microtome-guest"))
    }
}
