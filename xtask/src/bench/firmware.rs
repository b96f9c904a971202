//! Executed instructions on Cortex-M, under qemu-system-arm: single layers beside CMSIS-NN, and the zoo's networks.
//!
//! A layer is a plan of one operator, run by a session as any plan is, a row at a time: what is counted includes taking the
//! frame's rows and handing out the results. It is a count, the same on every machine, not a model of cycles.

use anyhow::{Context, Result, bail};
use xshell::Shell;

use crate::bench::table::{Table, number};
use crate::guest::MACHINES;

/// A layer, as `tests/src/corpus.rs` makes it, and CMSIS-NN's instructions per product.
struct Layer {
    name: &'static str,
    /// Products, those with padding included; of a pooling, input values.
    products: u64,
    /// CMSIS-NN (commit 99f736a), its best gcc build, counted in the same way, on M4, M7 and M55.
    cmsis: [f64; 3],
}

const LAYERS: [Layer; 9] = [
    Layer { name: "3x3 96² 8→8", products: 96 * 96 * 9 * 8 * 8, cmsis: [3.39, 3.45, 0.82] },
    Layer { name: "3x3 48² 16→16", products: 48 * 48 * 9 * 16 * 16, cmsis: [2.28, 2.31, 0.375] },
    Layer { name: "3x3 24² 32→32", products: 24 * 24 * 9 * 32 * 32, cmsis: [1.90, 1.91, 0.248] },
    Layer { name: "3x3 96² 16→8", products: 96 * 96 * 9 * 16 * 8, cmsis: [2.71, 2.72, 0.486] },
    Layer { name: "3x3 96² 1→8", products: 96 * 96 * 9 * 8, cmsis: [14.1, 14.3, 5.3] },
    Layer { name: "transposed 2x2 24² 32→16", products: 24 * 24 * 4 * 32 * 16, cmsis: [9.13, 9.13, 1.34] },
    Layer { name: "1x1 48² 16→16", products: 48 * 48 * 16 * 16, cmsis: [3.96, 3.91, 1.03] },
    Layer { name: "depthwise 3x3 96² 8", products: 96 * 96 * 9 * 8, cmsis: [9.99, 9.87, 4.85] },
    Layer { name: "max-pool 2x2 96² 8", products: 96 * 96 * 8, cmsis: [13.2, 13.0, 3.4] },
];

/// The zoo's networks that fit a microcontroller.
const NETWORKS: [&str; 2] = ["nuclei-micro", "nuclei"];

/// Counts, and prints.
pub fn run(sh: &Shell) -> Result<()> {
    let networks: Vec<String> = NETWORKS.iter().map(|name| format!("{name}=models/zoo/{name}/model.mtm")).collect();
    let mut counted = Vec::new();
    for machine in &MACHINES {
        let mut corpus = vec!["layers", machine.kernel, "FILE"];
        corpus.extend(networks.iter().map(String::as_str));
        counted.push(counts(&machine.run(sh, &corpus)?)?);
    }
    let of = |machine: usize, name: &str| {
        let found = counted[machine].iter().find(|(case, _)| case == name);
        found.map(|(_, count)| *count).with_context(|| format!("{}: no count of {name}", MACHINES[machine].name))
    };

    println!("\nInstructions per product (of a pooling, per input value), beside CMSIS-NN's:");
    let mut table = Table::new(&["layer", "M4", "CMSIS", "ratio", "M7", "CMSIS", "ratio", "M55", "CMSIS", "ratio"]);
    for layer in &LAYERS {
        let mut row = vec![layer.name.to_owned()];
        for (machine, cmsis) in layer.cmsis.into_iter().enumerate() {
            let ours = of(machine, layer.name)? as f64 / layer.products as f64;
            row.extend([ours, cmsis, ours / cmsis].map(|value| number(Some(value))));
        }
        table.push(row);
    }
    table.print();

    println!("\nMillions of instructions per frame of 96x96:");
    let mut table = Table::new(&["network", "M4", "M7", "M55"]);
    for network in NETWORKS {
        let mut row = vec![network.to_owned()];
        for machine in 0..MACHINES.len() {
            row.push(number(Some(of(machine, network)? as f64 / 1e6)));
        }
        table.push(row);
    }
    table.print();
    Ok(())
}

/// The cases' names and instructions in what a guest printed.
fn counts(printed: &str) -> Result<Vec<(String, u64)>> {
    let cases = printed.lines().filter_map(|line| line.strip_prefix("case ")?.split_once(" instructions "));
    let counts: Result<Vec<(String, u64)>> = cases
        .map(|(name, count)| {
            let count = count.trim().parse().with_context(|| format!("{name}: {count:?} is no count"))?;
            Ok((name.to_owned(), count))
        })
        .collect();
    match counts {
        Ok(counts) if counts.is_empty() => bail!("the guest counted nothing: {printed:?}"),
        counts => counts,
    }
}
