//! Programs, and what they are to print.

use anyhow::{Context, Result, ensure};
use microtome_app::protocol;
use xshell::{Shell, cmd};

use super::{Board, printed, run_flags, same};

/// A program prints what its snapshot holds, lines for people (`#`) left out.
pub fn snapshot(sh: &Shell, board: &Board, program: &str, snapshot: &str) -> Result<()> {
    let expected = sh.read_file(snapshot)?;
    let printed = printed(sh, board, program)?;
    let (notes, lines): (Vec<&str>, Vec<&str>) = printed.lines().partition(|line| line.starts_with('#'));
    notes.iter().for_each(|note| println!("{program} {note}"));
    same(&format!("{program} on {}", board.feature), &lines.join("\n"), &expected)
}

/// How `provoke` ends: its argument, exit code, and how its last words start.
const BAD_ENDS: [(&str, i32, &str); 5] = [
    ("overflow", 102, "# fault: the stack overflowed"),
    ("wild", 102, "# fault: a hard fault"),
    ("panic", 101, "# panicked at"),
    ("watchdog", 103, "# watchdog: not fed in time"),
    ("idle", 3, "# slot A: the header is damaged\n# slot B: the header is damaged\n# idle: no plan to run"),
];

/// A program that ends badly says so, and ends with a code of its own.
pub fn bad_ends(sh: &Shell, board: &Board) -> Result<()> {
    for (how, code, words) in BAD_ENDS {
        let flags = run_flags(board, "provoke");
        let output = cmd!(sh, "cargo run {flags...} -- {how}").quiet().ignore_status().output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let what = format!("provoke {how} on {}", board.feature);
        ensure!(printed.starts_with(words), "{what}: found\n{printed}\nexpected\n{words}…");
        ensure!(output.status.code() == Some(code), "{what}: ended with {}, expected {code}", output.status);
    }
    println!("a bad end is reported: {}", BAD_ENDS.map(|(how, ..)| how).join(", "));
    Ok(())
}

/// Frames from files of the host: one as it should be, one that was cut, one that is not there, one raw.
pub fn stream(sh: &Shell, board: &Board) -> Result<()> {
    let folder = sh.create_temp_dir()?;
    let pixels = sh.read_binary_file("app/frames/nuclei-96x96.grey")?;
    let file = |name: &str, contents: &[u8]| -> Result<String> {
        let path = folder.path().join(name);
        sh.write_file(&path, contents)?;
        Ok(path.to_str().context("a temporary folder whose name is no text")?.to_owned())
    };
    let pgm = [b"P5\n# a comment\n96 96\n255\n", pixels.as_slice()].concat();
    let files = [
        file("good.pgm", &pgm)?,
        file("cut.pgm", &pgm[..5000])?,
        "missing.pgm".to_owned(),
        "--size".to_owned(),
        "96x96".to_owned(),
        file("a raw, with a comma.grey", &pixels)?,
    ];
    let flags = run_flags(board, "stream");
    let output = cmd!(sh, "cargo run {flags...} -- {files...}").quiet().ignore_status().output()?;
    ensure!(output.status.code() == Some(1), "stream: ended with {}, expected 1: two files are bad", output.status);
    let printed = String::from_utf8(output.stdout)?;
    let records: Vec<&str> =
        printed.lines().filter(|line| !line.starts_with('#')).map(protocol::verify).collect::<Result<_, _>>()?;
    let brief: Vec<&str> = records.into_iter().filter(|record| !record.starts_with("object")).collect();
    same("stream", &brief.join("\n"), STREAMED)?;
    println!("stream: two good frames and two bad ones, each line checked");
    Ok(())
}

/// What comes of these files, objects left out.
const STREAMED: &str = "\
frame n=0 width=96 height=96 low=8 high=132
end n=0 objects=6 area=1647 mask=ba762acf
fault n=1 at=source what=\"source: row 51: the rows ended early\"
fault n=2 at=source what=\"source: the file cannot be opened\"
frame n=3 width=96 height=96 low=8 high=132
end n=3 objects=6 area=1647 mask=ba762acf";

/// An update of the plan, good or bad, and which plan then runs: the arguments, and the end of the frame.
const UPDATES: [(&str, &str, &str); 2] = [
    ("../models/zoo/nuclei-micro/model.mtm", "# update: ", "objects=5 area=1556 mask=05623583"),
    (
        "README.md",
        "# update failed: README.md: plan: the file does not start with MTM1",
        "objects=6 area=1647 mask=ba762acf",
    ),
];

/// A plan that is brought while the device runs replaces the one before it, and a file that is none does not.
pub fn update(sh: &Shell, board: &Board) -> Result<()> {
    let frame = sh.create_temp_dir()?;
    let path = frame.path().join("frame.grey");
    sh.copy_file("app/frames/nuclei-96x96.grey", &path)?;
    for (plan, says, end) in UPDATES {
        let flags = run_flags(board, "stream");
        let printed = cmd!(sh, "cargo run {flags...} -- --plan {plan} --size 96x96 {path}").quiet().read()?;
        let right = printed.starts_with(says) && printed.lines().any(|line| line.contains(end));
        ensure!(right, "stream --plan {plan}: found\n{printed}\nexpected\n{says}…\n{end}");
    }
    println!("a plan is updated, and a bad one is not");
    Ok(())
}

/// The log, decoded by the runner.
pub fn log(sh: &Shell, board: &Board) -> Result<()> {
    let flags = run_flags(board, "microtome-firmware");
    let _level = sh.push_env("DEFMT_LOG", "debug");
    let output = cmd!(sh, "cargo run {flags...} --features defmt").quiet().output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    for line in ["frames of 96x96, by ", "frame 0: 6 objects, 1647 px"] {
        ensure!(log.contains(line), "the log: found\n{log}\nexpected {line:?} in it");
    }
    println!("the log is decoded");
    Ok(())
}
