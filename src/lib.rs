//! Keeps AWS IAM, organizations policies and a Git repository equal, in both directions.
//!
//! The data flow, and where to read on:
//!
//! 1. [`cli`] turns arguments into [`settings`], [`lambda`] the environment; [`event`] turns what a
//!    function was invoked with into a [`scope`]: everything, or what these CloudTrail records
//!    touched.
//! 2. [`aws`] opens a source: the AWS API, or files that the AWS CLI wrote. A [`session`] holds it
//!    together with the [`repository`] and its [`credentials`].
//! 3. Each kind in [`resource`] reads its part; [`inventory`] adds what that cannot be written
//!    without. This is the *actual* state.
//! 4. [`export`] compares it with what lies in the [`directory`], a folder or a commit's tree: the raw
//!    JSON, which is the *base*, and its Terraform [`module`], what people wrote in it read back as
//!    the [`desired`] state. [`reconcile`] gives the verdict on each entity, [`steps`] does it.
//! 5. Entities become raw JSON and, through [`terraform`], `.tf` files; in files that people wrote
//!    what AWS changed is changed [`in_place`].
//! 6. [`sync`] does 3 to 5 on top of a fetched commit, says with [`commit_message`] who did it, and
//!    pushes: again from the fetch when somebody else was first.
//! 7. What changed on both sides is a [`conflict`], which [`github`] shows as a pull request.
//! 8. Raw JSON that people edit takes AWS's place in 4 and 5: [`render`].
//! 9. What Terraform plans to make of all that is judged before the apply: [`plan_guard`].
//! 10. [`init`] writes what a repository needs around all that: the workflows that plan and apply,
//!     whose output goes through [`sanitize`].
//! 11. Other tools read the raw JSON as AWS's own listing: [`authorization_details`].
//! 12. The [`summary`] says what happened, [`metrics`] how much of it.
//! 13. [`several`] does 3 to 6 for each of several accounts, at once and apart from each other.
//!
//! Pure at the core: [`json`], [`policy_document`], [`terraform`], [`file_name`], [`known`],
//! [`reconcile`], [`event`], [`commit_message`], [`conflict`], [`plan_guard`] do no I/O.

pub mod authorization_details;
pub mod aws;
pub mod cli;
pub mod commit_message;
pub mod conflict;
pub mod credentials;
pub mod desired;
pub mod directory;
pub mod error;
pub mod event;
pub mod export;
pub mod file_name;
pub mod github;
pub mod in_place;
pub mod init;
pub mod inventory;
pub mod invisible;
pub mod json;
pub mod known;
pub mod lambda;
pub mod metrics;
pub mod module;
pub mod plan_guard;
pub mod policy_document;
pub mod progress;
pub mod raw_json;
pub mod reconcile;
pub mod render;
pub mod repository;
pub mod resource;
pub mod sanitize;
pub mod scope;
pub mod session;
pub mod settings;
pub mod several;
pub mod steps;
pub mod summary;
pub mod sync;
pub mod terraform;
