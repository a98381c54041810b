//! Keeps AWS IAM, organizations policies and a Git repository equal, in both directions.
//!
//! The data flow, and where to read on:
//!
//! 1. [`cli`] turns arguments into [`settings`].
//! 2. [`aws`] opens a source: the AWS API, or files that the AWS CLI wrote.
//! 3. Each kind in [`resource`] reads its part: the *actual* state.
//! 4. [`export`] compares it with what lies in the [`directory`] and its Terraform [`module`];
//!    [`reconcile`] gives the verdict on each entity, [`steps`] does it.
//! 5. Entities become raw JSON and, through [`terraform`], `.tf` files.
//! 6. The [`summary`] says what happened.
//!
//! Pure at the core: [`json`], [`policy_document`], [`terraform`], [`file_name`], [`reconcile`] do
//! no I/O.

pub mod aws;
pub mod cli;
pub mod credentials;
pub mod directory;
pub mod error;
pub mod export;
pub mod file_name;
pub mod invisible;
pub mod json;
pub mod module;
pub mod policy_document;
pub mod progress;
pub mod reconcile;
pub mod resource;
pub mod settings;
pub mod steps;
pub mod summary;
pub mod terraform;
