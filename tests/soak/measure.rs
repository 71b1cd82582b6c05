//! What the relay's process takes, as the kernel and its own page of numbers tell.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Of a second; Linux says it in these for every program.
const TICKS: f64 = 100.0;

/// One look at the process.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Since the start.
    pub seconds: f64,
    /// KiB.
    pub resident: f64,
    /// Seconds of processor time since it was started.
    pub cpu: f64,
    pub numbers: BTreeMap<String, f64>,
}

impl Sample {
    pub fn take(process: u32, http: SocketAddr, seconds: f64) -> std::io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB").and_then(|number| number.parse().ok()));
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name, in brackets, may have spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
        let mut stream = TcpStream::connect(http)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {http}\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let number = |line: &str| {
            let (name, value) = line.strip_prefix("gen_relay_")?.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        let numbers = text.lines().filter_map(number).collect();
        Ok(Self { seconds, resident: resident.unwrap_or_default(), cpu: ticks / TICKS, numbers })
    }

    pub fn number(&self, name: &str) -> f64 {
        self.numbers.get(name).copied().unwrap_or_default()
    }
}

pub fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count();
    if count == 0 { 0.0 } else { values.sum::<f64>() / count as f64 }
}

/// KiB a minute, by least squares.
pub fn slope(samples: &[Sample]) -> f64 {
    let minutes = mean(samples.iter().map(|sample| sample.seconds / 60.0));
    let resident = mean(samples.iter().map(|sample| sample.resident));
    let (above, below) = samples.iter().fold((0.0, 0.0), |(above, below), sample| {
        let (x, y) = (sample.seconds / 60.0 - minutes, sample.resident - resident);
        (above + x * y, below + x * x)
    });
    if below == 0.0 { 0.0 } else { above / below }
}
