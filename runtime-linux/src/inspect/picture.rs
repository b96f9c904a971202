//! Rows in flight over time, one band per tensor: where the memory of a row-streaming session goes.

use std::fmt::Write;

use microtome_core::{Frame, Plan, SessionError};

use super::inspect;

const WIDTH: f64 = 960.0;
const LABEL: f64 = 190.0;
const BAND: f64 = 22.0;
const TOP: f64 = 64.0;
/// Points per band: more would not be seen.
const POINTS: usize = 480;

/// An SVG picture: time runs to the right (one frame row pushed at a time), each band's height is the share of its
/// tensor's ring that holds live rows.
///
/// # Errors
/// The frame does not fit the network.
pub fn svg(plan: &Plan, frame: Frame) -> Result<String, SessionError> {
    let figures = inspect(plan, frame)?;
    let count = figures.tensors.len();
    // The most live rows per tensor, for each row of the frame that was pushed.
    let mut history: Vec<Vec<u32>> = vec![Vec::new(); count];
    // A tensor holds its rows until it grows again, also while nothing below it runs.
    let (mut now, mut grown) = (vec![0; count], vec![false; count]);
    let mut scratch = vec![0; plan.scratch_len()];
    plan.run_dry(frame, &mut scratch, |tensor, rows| {
        if tensor == 0 {
            history.iter_mut().zip(&now).for_each(|(history, &now)| history.push(now));
            grown.fill(false);
        }
        now[tensor] = if grown[tensor] { rows.max(now[tensor]) } else { rows };
        grown[tensor] = true;
    })?;
    for (history, now) in history.iter_mut().zip(now) {
        history.push(now);
    }

    let height = TOP + BAND * count as f64 + 36.0;
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments| {
        let _ = svg.write_fmt(text);
        svg.push('\n');
    };
    line(format_args!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="11">"##
    ));
    line(format_args!(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##));
    line(format_args!(
        r##"<text x="12" y="24" font-size="15" font-weight="600" fill="#1c2733">Rows in flight, {}x{}: {:.0} KiB in rings, {:.0} KiB layer by layer</text>"##,
        frame.width,
        frame.height,
        figures.ring_bytes as f64 / 1024.0,
        figures.layer_by_layer_bytes as f64 / 1024.0
    ));
    line(format_args!(
        r##"<text x="12" y="44" fill="#5b6b7b">Time runs to the right, one camera row at a time; a band is full when its ring is.</text>"##
    ));
    let plot = WIDTH - LABEL - 124.0;
    for (index, (tensor, rows)) in figures.tensors.iter().zip(&history).enumerate() {
        let top = TOP + BAND * index as f64;
        let (base, full) = (top + BAND - 3.0, BAND - 5.0);
        let step = rows.len().div_ceil(POINTS).max(1);
        let columns: Vec<u32> = rows.chunks(step).map(|chunk| chunk.iter().copied().max().unwrap_or(0)).collect();
        let mut path = format!("M{LABEL},{base}");
        for (column, &live) in columns.iter().enumerate() {
            let share = f64::from(live) / f64::from(tensor.ring_rows.max(1));
            let (left, right) = (column as f64 / columns.len() as f64, (column + 1) as f64 / columns.len() as f64);
            let y = base - full * share;
            let _ = write!(path, " L{:.1},{y:.1} L{:.1},{y:.1}", LABEL + plot * left, LABEL + plot * right);
        }
        let colour = if tensor.ring_rows > 4 { "#d9822b" } else { "#2b7bb9" };
        line(format_args!(
            r##"<text x="{}" y="{}" text-anchor="end" fill="#1c2733">{index} {} {}x{}x{}</text>"##,
            LABEL - 8.0,
            base - 4.0,
            tensor.operator,
            tensor.shape[0],
            tensor.shape[1],
            tensor.shape[2]
        ));
        line(format_args!(r##"<path d="{path} L{:.1},{base} Z" fill="{colour}"/>"##, LABEL + plot));
        line(format_args!(
            r##"<line x1="{LABEL}" y1="{base}" x2="{}" y2="{base}" stroke="#d5dde5" stroke-width="0.5"/>"##,
            LABEL + plot
        ));
        line(format_args!(
            r##"<text x="{}" y="{}" fill="#5b6b7b">{} rows, {:.1} KiB</text>"##,
            LABEL + plot + 8.0,
            base - 4.0,
            tensor.ring_rows,
            tensor.ring_bytes as f64 / 1024.0
        ));
    }
    line(format_args!(
        r##"<text x="{LABEL}" y="{}" fill="#5b6b7b">orange: skip connections and others that wait for the levels below</text></svg>"##,
        height - 14.0
    ));
    Ok(svg)
}
