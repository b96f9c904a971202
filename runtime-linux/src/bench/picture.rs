//! The profile as horizontal bars.

use std::fmt::Write;

use super::Report;

const WIDTH: f64 = 960.0;
const LABEL: f64 = 210.0;
const FIGURES: f64 = 190.0;
const BAND: f64 = 20.0;
const TOP: f64 = 84.0;

/// Time per operator, in the plan's order.
pub fn svg(report: &Report) -> String {
    let rest = report.rest_ms;
    let height = TOP + BAND * (report.operators.len() + 1) as f64 + 20.0;
    let longest = report.operators.iter().map(|o| o.ms).fold(rest, f64::max).max(1e-9);
    let plot = WIDTH - LABEL - FIGURES;
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments| {
        let _ = svg.write_fmt(text);
        svg.push('\n');
    };
    line(format_args!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="11">"##
    ));
    line(format_args!(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##));
    line(format_args!(
        r##"<text x="12" y="24" font-size="15" font-weight="600" fill="#1c2733">{}, {}x{}: {:.2} ms per frame, {:.0} GMAC/s</text>"##,
        escaped(&report.plan),
        report.width,
        report.height,
        report.frames.median_ms,
        report.frames.gmacs_per_second
    ));
    let machine = &report.machine;
    line(format_args!(
        r##"<text x="12" y="44" fill="#5b6b7b">{}, kernel {}, threads: {}, rows per step: {}, arena {:.0} KiB</text>"##,
        escaped(&machine.cpu),
        machine.kernel,
        machine.threads,
        machine.strip_rows,
        machine.arena.total as f64 / 1024.0
    ));
    line(format_args!(
        r##"<text x="12" y="62" fill="#5b6b7b">Time per operator, in the order of the plan; darker bars are nearer to the fastest operator's rate.</text>"##
    ));
    let best = report.operators.iter().filter(|o| o.macs > 0).map(|o| o.gmacs_per_second).fold(0.0, f64::max);
    let bars = report.operators.iter().zip(1..).map(|(o, index)| {
        let [rows, width, channels] = o.shape;
        let figures = if o.macs > 0 { format!(", {:.0} GMAC/s", o.gmacs_per_second) } else { String::new() };
        let colour = if o.macs > 0 { shade(o.gmacs_per_second / best.max(1e-9)) } else { "#9aa7b3".to_owned() };
        (format!("{index} {} {rows}x{width}x{channels}", o.operator), o.ms, figures, colour)
    });
    let rest = ("input, schedule, output".to_owned(), rest, String::new(), "#c9d1d9".to_owned());
    for (place, (label, ms, figures, colour)) in bars.chain([rest]).enumerate() {
        let (top, text) = (TOP + BAND * place as f64, TOP + BAND * place as f64 + 13.0);
        let (bar, share) = (plot * ms / longest, 100.0 * report.share(ms));
        line(format_args!(
            r##"<text x="{}" y="{text}" text-anchor="end" fill="#1c2733">{}</text>"##,
            LABEL - 8.0,
            escaped(&label)
        ));
        line(format_args!(
            r##"<rect x="{LABEL}" y="{}" width="{bar:.1}" height="{}" fill="{colour}"/>"##,
            top + 2.0,
            BAND - 5.0
        ));
        line(format_args!(
            r##"<text x="{:.1}" y="{text}" fill="#5b6b7b">{ms:.3} ms, {share:.1}%{figures}</text>"##,
            LABEL + bar + 6.0
        ));
    }
    line(format_args!("</svg>"));
    svg
}

/// From pale at no rate to full at the best one.
fn shade(share: f64) -> String {
    let blend = |pale: f64, full: f64| (pale + (full - pale) * share.clamp(0.0, 1.0)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", blend(214.0, 24.0), blend(226.0, 90.0), blend(238.0, 157.0))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
