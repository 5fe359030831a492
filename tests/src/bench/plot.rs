//! An SVG for each row: netctl's ratio to each peer, one bar for each quantity.

use std::path::Path;

use plotters::prelude::*;

use super::result::Outcome;

/// A bar's height, its colour's place in the palette, and where it stands.
struct Bar {
    at: usize,
    peer: usize,
    ratio: f64,
}

/// Draws `row` below `folder`; nothing where there is nobody to compare with. The file's name.
pub fn row(folder: &Path, row: &str, outcomes: &[Outcome]) -> Result<Option<String>, String> {
    let of_row: Vec<&Outcome> = outcomes.iter().filter(|o| o.measure.row == row).collect();
    let mut peers: Vec<&str> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut bars = Vec::new();
    let mut at = 0;
    for outcome in of_row {
        let Some((own, others)) = outcome.series.split_first() else {
            continue;
        };
        for other in others {
            if let Some(ratio) = outcome.ratio(own.peer, other.peer) {
                let known = peers.iter().position(|peer| *peer == other.peer);
                let peer = known.unwrap_or_else(|| {
                    peers.push(other.peer);
                    peers.len() - 1
                });
                bars.push(Bar { at, peer, ratio });
                names.resize(at + 1, String::new());
                names[at].clone_from(&outcome.measure.name);
                at += 1;
            }
        }
        at += 1;
    }
    if bars.is_empty() {
        return Ok(None);
    }
    let name: String = row
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    let file = format!("{}.svg", words.join("-"));
    draw(&folder.join(&file), row, &bars, &peers, &names)
        .map_err(|error| format!("plot of {row}: {error}"))?;
    Ok(Some(file))
}

fn draw(
    path: &Path,
    row: &str,
    bars: &[Bar],
    peers: &[&str],
    names: &[String],
) -> Result<(), Box<dyn std::error::Error>> {
    let highest = bars.iter().map(|bar| bar.ratio).fold(1.2, f64::max) * 1.15;
    let last = bars.iter().map(|bar| bar.at).max().unwrap_or(0) + 1;
    let root = SVGBackend::new(path, (960, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            format!("{row}: netctl, times better than"),
            ("sans-serif", 20),
        )
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..last as f64, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(last)
        .x_label_formatter(&|at| {
            let index = at.round() as usize;
            // Once for each quantity, under its first bar.
            let own = names.get(index).filter(|name| !name.is_empty());
            let before = index.checked_sub(1).and_then(|index| names.get(index));
            own.filter(|own| before != Some(own))
                .cloned()
                .unwrap_or_default()
        })
        .draw()?;
    for (index, peer) in peers.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(bars.iter().filter(|bar| bar.peer == index).map(|bar| {
                let left = bar.at as f64;
                Rectangle::new(
                    [(left + 0.1, 0.0), (left + 0.9, bar.ratio)],
                    colour.filled(),
                )
            }))?
            .label(*peer)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled()));
    }
    let line = [(0.0, 1.0), (last as f64, 1.0)];
    chart.draw_series(LineSeries::new(line, BLACK.stroke_width(1)))?;
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}
