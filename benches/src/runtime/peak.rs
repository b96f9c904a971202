//! The machine's int8 peak: the widest multiply-accumulate instruction that this CPU has, over and over, in registers.
#![allow(unsafe_code)]

use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{Job, Runtime};

/// Independent accumulators: enough to hide any latency, few enough to stay in registers.
const CHAINS: usize = 12;

/// An instruction that multiplies and accumulates int8 values.
struct Instruction {
    name: &'static str,
    /// Multiply-accumulates of one.
    macs: usize,
    /// Runs [`CHAINS`] of them so many times.
    repeat: fn(usize),
}

struct Peak {
    instruction: Instruction,
    rounds: usize,
    threads: usize,
}

/// A loop of about `job.model` multiply-accumulates on every thread together.
pub(super) fn load(job: &Job) -> Result<(Box<dyn Runtime>, String)> {
    let text = job.model.display().to_string();
    let macs: usize = text.parse().with_context(|| format!("{text}: not a number of multiply-accumulates"))?;
    let instruction = widest()?;
    let rounds = macs / job.threads.max(1) / (instruction.macs * CHAINS);
    let version = format!("{} ({} int8 multiply-accumulates)", instruction.name, instruction.macs);
    Ok((Box::new(Peak { instruction, rounds, threads: job.threads }), version))
}

impl Runtime for Peak {
    fn run(&mut self) -> Result<()> {
        let (repeat, rounds) = (self.instruction.repeat, self.rounds);
        std::thread::scope(|scope| {
            (1..self.threads).for_each(|_| drop(scope.spawn(move || repeat(rounds))));
            repeat(rounds);
        });
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<f32>> {
        let start = Instant::now();
        self.run()?;
        Ok(vec![start.elapsed().as_secs_f32()])
    }
}

#[cfg(target_arch = "x86_64")]
fn widest() -> Result<Instruction> {
    if is_x86_feature_detected!("avx512vnni") {
        // SAFETY: the CPU has AVX-512 VNNI, which comes with AVX-512 F.
        let repeat = |rounds| unsafe { x86::avx512_vnni(rounds) };
        return Ok(Instruction { name: "vpdpbusd zmm", macs: 64, repeat });
    }
    if is_x86_feature_detected!("avxvnni") {
        // SAFETY: the CPU has AVX-VNNI, which comes with AVX2.
        let repeat = |rounds| unsafe { x86::avx_vnni(rounds) };
        return Ok(Instruction { name: "vpdpbusd ymm", macs: 32, repeat });
    }
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has AVX2.
        let repeat = |rounds| unsafe { x86::avx2(rounds) };
        return Ok(Instruction { name: "vpmaddwd ymm", macs: 16, repeat });
    }
    bail!("this CPU has none of AVX-512 VNNI, AVX-VNNI and AVX2: no peak is defined for it")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use super::CHAINS;

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn avx512_vnni(rounds: usize) {
        let (a, b) = (black_box(_mm512_set1_epi8(3)), black_box(_mm512_set1_epi8(-5)));
        let mut sums = [black_box(_mm512_setzero_si512()); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,avxvnni")]
    pub(super) fn avx_vnni(rounds: usize) {
        let (a, b) = (black_box(_mm256_set1_epi8(3)), black_box(_mm256_set1_epi8(-5)));
        let mut sums = [black_box(_mm256_setzero_si256()); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_dpbusd_avx_epi32(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(rounds: usize) {
        let (mut a, b) = (black_box(_mm256_set1_epi16(3)), black_box(_mm256_set1_epi16(-5)));
        let mut sums = [black_box(_mm256_setzero_si256()); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(a, b));
            }
            // Or the product would be computed once.
            a = black_box(a);
        }
        black_box(sums);
    }
}

#[cfg(target_arch = "aarch64")]
fn widest() -> Result<Instruction> {
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        // SAFETY: the CPU has the dot product.
        let repeat = |rounds| unsafe { arm::sdot(rounds) };
        return Ok(Instruction { name: "sdot", macs: 16, repeat });
    }
    Ok(Instruction { name: "smlal", macs: 8, repeat: arm::smlal })
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::asm;

    /// `CHAINS` of an instruction, whose accumulators are v0 to v11; v16 and v17 are the factors.
    macro_rules! chains {
        ($rounds:expr, $prefix:literal, $instruction:literal, $to:literal, $of:literal) => {
            // SAFETY: registers only, all of them declared.
            unsafe {
                asm!(
                    $prefix,
                    "2:",
                    concat!($instruction, " v0.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v1.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v2.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v3.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v4.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v5.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v6.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v7.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v8.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v9.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v10.", $to, ", v16.", $of, ", v17.", $of),
                    concat!($instruction, " v11.", $to, ", v16.", $of, ", v17.", $of),
                    "subs {rounds}, {rounds}, #1",
                    "b.ne 2b",
                    rounds = inout(reg) $rounds.max(1) => _,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _,
                    out("v6") _, out("v7") _, out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v16") _, out("v17") _,
                    options(nomem, nostack),
                );
            }
        };
    }

    #[target_feature(enable = "dotprod")]
    pub(super) fn sdot(rounds: usize) {
        chains!(rounds, ".arch_extension dotprod", "sdot", "4s", "16b");
    }

    pub(super) fn smlal(rounds: usize) {
        chains!(rounds, "", "smlal", "8h", "8b");
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn widest() -> Result<Instruction> {
    bail!("no int8 peak is defined for this architecture")
}
