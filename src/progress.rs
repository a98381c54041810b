//! Progress on long work: bars when stderr is a terminal, nothing otherwise (log lines tell).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shared by everything that reads; cloning is cheap.
#[derive(Clone, Default)]
pub struct Progress {
    bars: Option<Arc<Bars>>,
}

#[derive(Default)]
struct Bars {
    all: MultiProgress,
    by_name: Mutex<HashMap<&'static str, ProgressBar>>,
}

impl Progress {
    /// Bars on stderr; they hide themselves where stderr is no terminal.
    pub fn bars() -> Progress {
        let bars = Bars::default();
        bars.all.set_draw_target(ProgressDrawTarget::stderr());
        Progress { bars: Some(Arc::new(bars)) }
    }

    /// Says how far the work called `name` is, and of how much where that is known.
    pub fn count(&self, name: &'static str, done: usize, of: Option<usize>) {
        let Some(bars) = &self.bars else { return };
        let mut by_name = bars.by_name.lock().expect("no panic while drawing");
        let bar = by_name.entry(name).or_insert_with(|| {
            let bar = bars.all.add(ProgressBar::no_length().with_message(name));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.set_style(style("{spinner} {msg:>22} {pos}"));
            bar
        });
        if let Some(of) = of
            && bar.length() != Some(of as u64)
        {
            bar.set_length(of as u64);
            bar.set_style(style("{spinner} {msg:>22} {bar:30} {pos}/{len} {eta}"));
        }
        bar.set_position(done as u64);
    }

    /// Takes the work called `name` off the screen.
    pub fn stop(&self, name: &'static str) {
        let Some(bars) = &self.bars else { return };
        if let Some(bar) = bars.by_name.lock().expect("no panic while drawing").remove(name) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("templates are literals")
}
