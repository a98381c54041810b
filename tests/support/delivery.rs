//! How events reach a function: twice, late, in any order, in batches, or not at all.

use serde_json::Value;

use super::cloudtrail::Record;
use super::random::Random;
use super::runtime_api::{scheduled, sqs_batch};

/// What happens to events on the way; percentages.
#[derive(Clone, Debug)]
pub struct Plan {
    pub duplicated: u32,
    pub delayed: u32,
    pub dropped: u32,
    /// Batches that come straight from EventBridge, so with one event.
    pub direct: u32,
    /// How often a scheduled event comes before the events.
    pub scheduled: u32,
    pub reordered: bool,
    pub largest_batch: usize,
}

impl Plan {
    /// Everything that AWS may do, and no event is lost.
    pub fn usual() -> Plan {
        Plan {
            duplicated: 20,
            delayed: 20,
            dropped: 0,
            direct: 10,
            scheduled: 3,
            reordered: true,
            largest_batch: 20,
        }
    }

    /// Some events never come: the schedule has to find what they were about.
    pub fn lossy() -> Plan {
        Plan { dropped: 15, ..Plan::usual() }
    }

    /// Every event once, in order, alone, at once.
    pub fn exact() -> Plan {
        Plan {
            duplicated: 0,
            delayed: 0,
            dropped: 0,
            direct: 0,
            scheduled: 0,
            reordered: false,
            largest_batch: 1,
        }
    }
}

/// One invocation of the function.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub payload: Value,
    /// The messages it is made of; none if it is a scheduled event.
    pub messages: Vec<Message>,
    pub source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Queue,
    EventBridge,
    Schedule,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: String,
    pub record: Record,
}

struct Held {
    due: usize,
    message: Message,
}

/// The events under way.
pub struct Delivery {
    random: Random,
    plan: Plan,
    now: usize,
    held: Vec<Held>,
    dropped: usize,
}

impl Delivery {
    pub fn new(seed: u64, plan: Plan) -> Delivery {
        let random = Random::new(seed ^ 0x6465_6c69_7665);
        Delivery { random, plan, now: 0, held: Vec::new(), dropped: 0 }
    }

    /// Takes new records; what the function is invoked with now.
    pub fn take(&mut self, records: Vec<Record>) -> Vec<Batch> {
        self.now += 1;
        for record in records {
            if self.random.percent(self.plan.dropped) {
                self.dropped += 1;
                continue;
            }
            if self.random.percent(self.plan.duplicated) {
                self.hold(record.clone());
            }
            self.hold(record);
        }
        let (due, held) = self.held.drain(..).partition(|held| held.due <= self.now);
        self.held = held;
        let mut batches = self.batches(due);
        if self.random.percent(self.plan.scheduled) {
            batches.insert(0, schedule());
        }
        batches
    }

    /// Everything that is still under way; last a scheduled event if any event was lost.
    pub fn drain(&mut self) -> Vec<Batch> {
        let held = std::mem::take(&mut self.held);
        let mut batches = self.batches(held);
        if std::mem::take(&mut self.dropped) > 0 {
            batches.push(schedule());
        }
        batches
    }

    /// Takes back messages of a batch that the function did not handle: the queue sends them again.
    ///
    /// `response` is the function's, with `batchItemFailures`; without one the whole batch failed.
    pub fn failed(&mut self, batch: &Batch, response: Option<&Value>) {
        let failures = response.map(|response| {
            let items = response["batchItemFailures"].as_array().cloned().unwrap_or_default();
            items
                .iter()
                .filter_map(|item| item["itemIdentifier"].as_str().map(str::to_owned))
                .collect()
        });
        let is_failed = |message: &&Message| {
            failures.as_ref().is_none_or(|ids: &Vec<String>| ids.contains(&message.id))
        };
        for message in batch.messages.iter().filter(is_failed) {
            self.held.push(Held { due: self.now + 1, message: message.clone() });
        }
    }

    /// How many events were lost since the last [`Delivery::drain`].
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    fn hold(&mut self, record: Record) {
        let is_late = self.random.percent(self.plan.delayed);
        let due = self.now + if is_late { 1 + self.random.below(10) } else { 0 };
        let message = Message { id: self.random.uuid(), record };
        self.held.push(Held { due, message });
    }

    fn batches(&mut self, held: Vec<Held>) -> Vec<Batch> {
        let mut messages: Vec<Message> = held.into_iter().map(|held| held.message).collect();
        if self.plan.reordered {
            self.random.shuffle(&mut messages);
        }
        let mut batches = Vec::new();
        while !messages.is_empty() {
            let size = 1 + self.random.below(self.plan.largest_batch);
            let rest = messages.split_off(size.min(messages.len()));
            batches.push(self.batch(std::mem::replace(&mut messages, rest)));
        }
        batches
    }

    fn batch(&mut self, messages: Vec<Message>) -> Batch {
        if messages.len() == 1 && self.random.percent(self.plan.direct) {
            let payload = messages[0].record.eventbridge();
            return Batch { payload, messages, source: Source::EventBridge };
        }
        let bodies =
            messages.iter().map(|message| (message.id.clone(), message.record.eventbridge()));
        let payload = sqs_batch(&bodies.collect::<Vec<_>>());
        Batch { payload, messages, source: Source::Queue }
    }
}

fn schedule() -> Batch {
    Batch { payload: scheduled(), messages: Vec::new(), source: Source::Schedule }
}
