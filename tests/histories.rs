//! The random histories that other tests play are what they claim to be.

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::cloudtrail::{ACCOUNT, Record};
use support::delivery::{Batch, Delivery, Plan, Source};
use support::history::{self, History, Options};
use support::module::Module;
use support::repository::Repository;

const SEEDS: [u64; 3] = [1, 2, 3];

/// The members of requests and responses that CloudTrail may show, by service and operation.
fn write_actions() -> Option<Value> {
    let file = support::python::project().join("../shared/data/write-actions.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("members are not checked: there is no {}", file.display());
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn assert_members(record: &Record, actions: &Value) {
    let Record(value) = record;
    let action = &actions[value["eventSource"].as_str().expect("a source")][record.event_name()];
    assert!(action.is_object(), "AWS has no such action: {value:#}");
    let names = |value: &Value| -> Vec<Value> {
        let members = value.as_object().into_iter().flatten();
        members.map(|(name, _)| name.as_str().into()).collect()
    };
    let list = |name: &str| action[name].as_array().expect("a list").clone();
    let request = names(&value["requestParameters"]);
    assert!(request.iter().all(|name| list("request").contains(name)), "{value:#}");
    assert!(list("required").iter().all(|name| request.contains(name)), "{value:#}");
    let response = names(&value["responseElements"]);
    assert!(response.iter().all(|name| list("response").contains(name)), "{value:#}");
    let has_response = record.error_code().is_none() && !list("response").is_empty();
    assert_eq!(!response.is_empty(), has_response, "{value:#}");
}

fn assert_well_formed(record: &Record) {
    let Record(value) = record;
    assert_eq!(value["readOnly"], false);
    assert_eq!(value["managementEvent"], true);
    assert_eq!(value["recipientAccountId"], ACCOUNT);
    assert_eq!(record.event_id().len(), 36, "{value:#}");
    assert!(value["requestParameters"].is_object(), "{value:#}");
    let envelope = record.eventbridge();
    assert_eq!(envelope["source"], format!("aws.{}", record.service()));
    assert_eq!(envelope["detail"], *value);
}

#[test]
fn histories_do_everything_and_are_the_same_for_a_seed() {
    let emulator = history::emulator();
    let actions = write_actions();
    let mut counts: BTreeMap<(String, bool), usize> = BTreeMap::new();
    let mut people: BTreeMap<String, usize> = BTreeMap::new();
    for seed in SEEDS {
        let records = History::new(seed, &emulator, Options::default()).steps(160);
        for record in &records {
            assert_well_formed(record);
            if let Some(actions) = &actions {
                assert_members(record, actions);
            }
            let name = format!("{}:{}", record.service(), record.event_name());
            *counts.entry((name, record.error_code().is_some())).or_default() += 1;
            let kind = record.0["userIdentity"]["type"].as_str().expect("a type");
            *people.entry(kind.to_owned()).or_default() += 1;
        }
        let again = History::new(seed, &emulator, Options::default()).steps(160);
        assert_eq!(records, again, "seed {seed}");
    }
    let succeeded = counts.keys().filter(|(_, is_refused)| !is_refused).count();
    let refused = counts.keys().filter(|(_, is_refused)| *is_refused).count();
    assert_eq!((succeeded, refused >= 6), (53, true), "{counts:#?}");
    assert_eq!(people.len(), 4, "{people:?}");
}

#[test]
fn account_of_a_history_plans_as_imports_only() {
    let emulator = history::emulator();
    let arguments = ["--organizations-attachments"];
    for seed in SEEDS {
        let mut history = History::new(seed, &emulator, Options::default());
        let repository = Repository::new();
        for _ in 0..3 {
            history.steps(40);
            let summary = repository.export(&emulator, &arguments);
            assert!(!summary.names("written").is_empty());
            assert!(summary.skipped().is_empty(), "{:?}", summary.skipped());
            let tree = repository.tree();
            repository.export(&emulator, &arguments);
            assert_eq!(repository.tree(), tree, "a second export writes nothing");
        }
        let plan = Module::new(&repository.root(), &emulator).plan();
        assert_eq!(plan.actions(), [""; 0], "seed {seed}");
        assert_eq!(plan.imports().len(), plan.resources());
    }
}

#[test]
fn exact_delivery_is_every_event_once_in_order() {
    let emulator = history::emulator();
    let mut history = History::new(4, &emulator, Options::default());
    let mut delivery = Delivery::new(4, Plan::exact());
    for _ in 0..20 {
        let records = history.step();
        let batches = delivery.take(records.clone());
        let delivered: Vec<_> =
            batches.iter().flat_map(|batch| &batch.messages).map(|m| m.record.clone()).collect();
        assert_eq!(delivered, records);
    }
    assert!(delivery.drain().is_empty());
}

#[test]
fn delivery_loses_only_what_its_plan_says() {
    let emulator = history::emulator();
    for (plan, is_lossy) in [(Plan::usual(), false), (Plan::lossy(), true)] {
        let mut history = History::new(5, &emulator, Options::default());
        let mut delivery = Delivery::new(5, plan);
        let (mut sent, mut batches): (Vec<Record>, Vec<Batch>) = Default::default();
        for _ in 0..100 {
            let records = history.step();
            sent.extend(records.clone());
            batches.extend(delivery.take(records));
        }
        let dropped = delivery.dropped();
        batches.extend(delivery.drain());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for message in batches.iter().flat_map(|batch| &batch.messages) {
            *seen.entry(message.record.event_id().to_owned()).or_default() += 1;
        }
        assert_eq!(seen.len(), sent.len() - dropped);
        assert_eq!(dropped > 0, is_lossy);
        assert!(seen.values().any(|count| *count == 2));
        for source in [Source::Queue, Source::EventBridge, Source::Schedule] {
            assert!(batches.iter().any(|batch| batch.source == source), "{source:?}");
        }
        assert!(batches.iter().all(|batch| batch.messages.len() <= 20));
        let first: Vec<_> = sent.iter().map(Record::event_id).collect();
        let came = batches.iter().flat_map(|batch| &batch.messages);
        let came: Vec<_> = came.map(|message| message.record.event_id()).collect();
        assert_ne!(came[..20], first[..20], "events are out of order");
    }
}

#[test]
fn failed_messages_come_again() {
    let emulator = history::emulator();
    let mut history = History::new(6, &emulator, Options::default());
    let plan = Plan { largest_batch: 20, reordered: false, ..Plan::exact() };
    let mut delivery = Delivery::new(6, plan);
    let batches = delivery.take(history.steps(30));
    let batch = batches.iter().find(|batch| batch.messages.len() > 1).expect("a larger batch");
    let id = &batch.messages[1].id;
    let response = serde_json::json!({"batchItemFailures": [{"itemIdentifier": id}]});
    delivery.failed(batch, Some(&response));
    let again = delivery.take(Vec::new());
    let again: Vec<_> = again.iter().flat_map(|batch| &batch.messages).collect();
    assert_eq!(again, [&batch.messages[1]]);
    delivery.failed(batch, None);
    let count: usize = delivery.drain().iter().map(|batch| batch.messages.len()).sum();
    assert_eq!(count, batch.messages.len());
}
