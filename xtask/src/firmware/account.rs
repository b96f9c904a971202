//! Programs in the memory of real parts: the linker keeps them to it, and the table of `firmware/README.md` to the truth.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use xshell::Shell;

use super::{AN386, AN500, Board, printed};

/// The table's rows: program, the board it runs on, plan and frame.
const ROWS: [(&str, Board, &str); 3] = [
    ("stm32f303", AN386, "`nuclei-micro`, 96x96"),
    ("stm32f411", AN386, "`nuclei-micro`, 320x240"),
    ("stm32h743", AN500, "`nuclei`, 560x420"),
];

/// Each program's account is its row of the table.
pub fn check(sh: &Shell) -> Result<()> {
    let readme = sh.read_file("README.md")?;
    for (program, board, what) in ROWS {
        let printed = printed(sh, &board, program)?;
        let found = Account::of(&printed).with_context(|| format!("{program} prints no account:\n{printed}"))?;
        let row = found.row(program, what);
        println!("{row}");
        let stated = readme.lines().find(|line| line.starts_with(&format!("| `{program}` |")));
        let stated = stated.with_context(|| format!("firmware/README.md has no row for {program}; add\n{row}"))?;
        ensure!(close(stated, &row), "firmware/README.md says\n{stated}\nand measured was\n{row}");
    }
    Ok(())
}

/// What a program says of its memory, in bytes.
struct Account<'a>(HashMap<&'a str, &'a str>);

impl<'a> Account<'a> {
    fn of(printed: &'a str) -> Option<Account<'a>> {
        let line = printed.lines().find_map(|line| line.strip_prefix("# memory "))?;
        Some(Account(line.split(' ').filter_map(|pair| pair.split_once('=')).collect()))
    }

    fn row(&self, program: &str, what: &str) -> String {
        let cell = |key: &str| {
            let numbers = self.0.get(key).copied().unwrap_or("none").split('/').map(thousands);
            numbers.collect::<Vec<_>>().join(" of ")
        };
        let [arena, workspace, stack, total] = ["arena", "workspace", "stack", "total"].map(cell);
        format!("| `{program}` | {what} | {arena} | {workspace} | {stack} | {total} |")
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whether two rows agree: word for word, but for numbers, which compilers move by a little.
fn close(one: &str, other: &str) -> bool {
    let words = |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (words(one), words(other));
    one.len() == other.len()
        && one.iter().zip(&other).all(|(a, b)| {
            let number = |word: &str| word.replace(',', "").parse::<f64>();
            match (number(a), number(b)) {
                (Ok(a), Ok(b)) => (a - b).abs() <= 0.05 * a.max(b),
                _ => a == b,
            }
        })
}
