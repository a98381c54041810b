#!/usr/bin/env bash
# Deploys this module and destroys it: what `make deploy`, `make token` and `make destroy` run.
# Says all that is missing before it starts, and can be run again at any time.
# Backticks in messages are quotes.
# shellcheck disable=SC2016
set -euo pipefail

module=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$module")
cd "$module"
umask 077
export AWS_PAGER='' TF_IN_AUTOMATION=1

# What the image is built from; `.dockerignore` lets nothing else in.
sources=(.dockerignore Cargo.lock Cargo.toml Dockerfile benches src templates)
missing=()

lacks() {
    missing+=("$1")
}

stop_if_something_is_missing() {
    [ "${#missing[@]}" -gt 0 ] || return 0
    printf 'error: `make %s` does not start, since something is missing:\n' "$command" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

is_terminal() {
    [ -t 0 ]
}

say() {
    printf '\n%s\n' "$*"
}

check_programs() {
    local version
    if ! has terraform; then
        lacks 'the program `terraform`, 1.10 or newer'
    else
        version=$(terraform version -json | sed -n 's/.*"terraform_version": *"\([0-9.]*\).*/\1/p')
        if [ "$(printf '%s\n' 1.10.0 "$version" | sort -V | head -n 1)" != 1.10.0 ]; then
            lacks "Terraform 1.10 or newer; this is $version"
        fi
    fi
    has aws || lacks 'the program `aws`, the AWS CLI'
    has sha256sum || has shasum || lacks 'the program `sha256sum` or `shasum`'
}

# One that does not answer is as good as none: Docker's program without its service.
works() {
    has "$1" && "$1" info >/dev/null 2>&1
}

find_engine() {
    local candidate
    for candidate in ${ENGINE:-docker podman buildah}; do
        case "$candidate" in
            docker | podman | buildah) ;;
            *) lacks "an ENGINE that is docker, podman or buildah, not \`$candidate\`" && return ;;
        esac
        if works "$candidate"; then
            engine=$candidate
            return
        fi
    done
    lacks "a running ${ENGINE:-docker, podman or buildah}, to build the image"
}

check_variables() {
    has terraform || return 0
    local output
    if ! output=$(terraform init -input=false -no-color 2>&1); then
        lacks "what \`terraform init\` needs: $output"
        return
    fi
    # Terraform's own answer, so that files, TF_VAR_… and defaults count as they do for a plan. It
    # succeeds whatever it finds wrong.
    local wanted='var.name, var.region, var.repository, var.architecture, local.secret_name'
    wanted+=', var.account_id == null ? "" : var.account_id'
    output=$(terraform console -no-color <<<"join(\"|\", [$wanted])" 2>&1 | sed 's/^ *//') || true
    if grep -q '^Error: ' <<<"$output"; then
        lacks "valid variables:"$'\n'"$(sed -n '/^Warning: Due/q; /^Error: /,$ s/^/      /p' <<<"$output")"
    elif grep -q 'known after apply' <<<"$output"; then
        lacks 'the repository: `repository = "example-org/iam"` in terraform.tfvars, or TF_VAR_repository'
    else
        IFS='|' read -r name region repository architecture secret expected \
            < <(sed -n 's/^"\(.*|.*\)"$/\1/p' <<<"$output")
    fi
}

check_account() {
    has aws || return 0
    if ! account=$(aws sts get-caller-identity --region "${region:-us-east-1}" \
        --query Account --output text 2>/dev/null); then
        lacks 'credentials of AWS: set AWS_PROFILE, or run `aws login` or `aws configure`'
    elif [ -n "${expected:-}" ] && [ "$expected" != "$account" ]; then
        lacks "credentials of account $expected, which account_id names; these are of $account"
    fi
}

has_token() {
    aws secretsmanager describe-secret --region "$region" --secret-id "$secret" \
        --query 'length(keys(VersionIdsToStages || `{}`))' --output text 2>/dev/null | grep -q '^[1-9]'
}

check_new_token() {
    if [ -n "${TOKEN_FILE:-}" ]; then
        [ -s "$TOKEN_FILE" ] || lacks "a token in the file \`$TOKEN_FILE\`, which TOKEN_FILE names"
    elif ! is_terminal; then
        lacks "the token or the App's private key: TOKEN_FILE, or a terminal to ask at"
    fi
}

check_token() {
    if [ -n "${TOKEN_FILE:-}" ] || [ -z "${account:-}" ] || [ -z "${secret:-}" ] || ! has_token; then
        check_new_token
    fi
}

check_sources() {
    local part
    for part in "${sources[@]}"; do
        [ -e "$source/$part" ] || lacks "\`$part\` in $source, which the image is built from"
    done
}

check_approval() {
    if [ "${APPROVE:-}" != yes ] && ! is_terminal; then
        lacks 'somebody to approve: APPROVE=yes, or a terminal to ask at'
    fi
}

checksum() {
    if has sha256sum; then sha256sum; else shasum -a 256; fi | cut -c 1-64
}

# The same sources are the same tag, on any machine and with or without Git.
tag_of_sources() {
    cd "$source"
    find "${sources[@]}" -type f -print0 |
        LC_ALL=C sort -z |
        while IFS= read -r -d '' file; do
            printf '%s %s\n' "$file" "$(checksum <"$file")"
        done | checksum | cut -c 1-20
}

digest_in_registry() {
    aws ecr describe-images --region "$region" --repository-name "$name" \
        --image-ids "imageTag=$tag" --query 'imageDetails[0].imageDigest' --output text 2>/dev/null
}

build_and_push() {
    local image="$registry:$tag" platform=linux/arm64
    [ "$architecture" = arm64 ] || platform=linux/amd64
    say "Building $image with $engine"
    # Lambda takes one image, not an index of an image and its attestations.
    case "$engine" in
        docker)
            BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --platform "$platform" --tag "$image" "$source"
            ;;
        podman) podman build --format docker --platform "$platform" --tag "$image" "$source" ;;
        buildah) buildah build --format docker --platform "$platform" --tag "$image" "$source" ;;
    esac
    aws ecr get-login-password --region "$region" |
        "$engine" login --username AWS --password-stdin "${registry%%/*}"
    "$engine" push "$image"
}

apply() {
    if [ "${APPROVE:-}" = yes ]; then
        terraform apply -input=false -auto-approve "$@"
    else
        terraform apply "$@"
    fi
}

put_token() {
    local file=${TOKEN_FILE:-} line
    # From a pipe: arguments and the environment are for others to see.
    put() {
        aws secretsmanager put-secret-value --region "$region" --secret-id "$secret" \
            --secret-string file:///dev/stdin --output text --query Name >/dev/null
    }
    if [ -n "$file" ]; then
        put <"$file"
    else
        printf 'Token for %s, or the private key of the GitHub App; end with an empty line:\n' "$repository" >&2
        while IFS= read -r -s line && [ -n "$line" ]; do
            printf '%s\n' "$line"
        done | put
    fi
    say "The secret $secret has its value."
}

deploy() {
    say "Deploying $name to account $account in $region, for $repository"
    if ! registry=$(terraform output -raw registry 2>/dev/null); then
        apply -target=aws_ecr_repository.this
        registry=$(terraform output -raw registry)
    fi
    tag=$architecture-$(tag_of_sources)
    if ! digest=$(digest_in_registry); then
        build_and_push
        digest=$(digest_in_registry) || { echo "error: the registry has no $registry:$tag" >&2; exit 1; }
    fi
    printf '{ "image_digest": "%s" }\n' "$digest" >image.auto.tfvars.json
    say "The image is $registry:$tag, $digest"
    apply
    if [ -n "${TOKEN_FILE:-}" ] || ! has_token; then
        put_token
    fi
    # The first full export, rather than in some hours. One that finds nothing changed is no commit.
    aws lambda invoke --region "$region" --function-name "$name" --invocation-type Event \
        --payload '{}' --cli-binary-format raw-in-base64-out /dev/null >/dev/null
    say "Deployed. The first full export runs; \`aws logs tail /aws/lambda/$name --region $region\` shows it."
}

state_has_something() {
    local bucket
    bucket=$(terraform output -raw state_bucket 2>/dev/null) || return 1
    aws s3api list-object-versions --bucket "$bucket" --max-items 1 \
        --query 'length([Versions, DeleteMarkers][][])' --output text 2>/dev/null | grep -q '^[1-9]'
}

destroy() {
    local approve=()
    say "Destroying $name in account $account in $region"
    if [ "${STATE:-}" = delete ] && terraform state show 'aws_s3_bucket.state[0]' >/dev/null 2>&1; then
        apply -target=aws_s3_bucket.state -var state_force_destroy=true
    fi
    [ "${APPROVE:-}" != yes ] || approve=(-input=false -auto-approve)
    terraform destroy "${approve[@]}"
    rm -f image.auto.tfvars.json
    say 'Nothing of it is left.'
}

command=${1:-}
check_programs
case "$command" in
    deploy)
        find_engine
        check_sources
        check_variables
        check_account
        check_token
        check_approval
        stop_if_something_is_missing
        deploy
        ;;
    token)
        check_variables
        check_account
        check_new_token
        stop_if_something_is_missing
        put_token
        ;;
    destroy)
        check_variables
        check_account
        check_approval
        case "${STATE:-}" in
            '' | delete) ;;
            *) lacks 'a STATE that is `delete`, or none' ;;
        esac
        if [ -z "${STATE:-}" ] && [ "${#missing[@]}" -eq 0 ] && state_has_something; then
            lacks 'a decision: the state bucket still holds the state of IAM. STATE=delete deletes it'
        fi
        stop_if_something_is_missing
        destroy
        ;;
    *)
        echo 'usage: deploy.sh deploy|token|destroy' >&2
        exit 2
        ;;
esac
