# The program alone, with the few files of Debian that it needs to run: no shell, no package manager.
# It serves as a function of AWS Lambda, and as a command line tool: `docker run --rm IMAGE --help`.
#
#   docker build --platform linux/arm64 --tag aws-iam-gitops .
#
# Another architecture than the machine's own is compiled for, not emulated.
ARG RUST_VERSION=1.95.0

FROM --platform=$BUILDPLATFORM rust:${RUST_VERSION}-bookworm AS build
ARG TARGETARCH
WORKDIR /src

# What the program runs with, and for another architecture what it is compiled with.
# The packages' versions are those of the base image's release.
# hadolint ignore=DL3008
RUN set -eu; \
    : "${TARGETARCH:=$(dpkg --print-architecture)}"; \
    case "$TARGETARCH" in \
      amd64) cpu=x86_64; gcc="gcc-x86-64-linux-gnu"; loader=lib64/ld-linux-x86-64.so.2 ;; \
      arm64) cpu=aarch64; gcc="gcc-aarch64-linux-gnu"; loader=lib/ld-linux-aarch64.so.1 ;; \
      *) echo "no build for the architecture '$TARGETARCH': only amd64 and arm64" >&2; exit 1 ;; \
    esac; \
    libraries=/lib/$cpu-linux-gnu; \
    if [ "$cpu" != "$(uname -m)" ]; then \
      libraries=/usr/$cpu-linux-gnu/lib; \
      apt-get update; \
      apt-get install --yes --no-install-recommends "$gcc" "libc6-dev-$TARGETARCH-cross"; \
      rm -rf /var/lib/apt/lists/*; \
      rustup target add "$cpu-unknown-linux-gnu"; \
    fi; \
    mkdir -p /image/etc/ssl/certs "/image/${loader%/*}" "/image/lib/$cpu-linux-gnu"; \
    cp --dereference "$libraries/${loader##*/}" "/image/$loader"; \
    for library in libc.so.6 libm.so.6 libgcc_s.so.1; do \
      cp --dereference "$libraries/$library" "/image/lib/$cpu-linux-gnu/"; \
    done; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    mkdir --mode=1777 /image/tmp

COPY . .
ARG PROFILE=release
RUN set -eu; \
    : "${TARGETARCH:=$(dpkg --print-architecture)}"; \
    case "$TARGETARCH" in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; esac; \
    folder=target; strip="strip"; \
    if [ "$cpu" != "$(uname -m)" ]; then \
      export CARGO_BUILD_TARGET="$cpu-unknown-linux-gnu"; \
      export CC_x86_64_unknown_linux_gnu=x86_64-linux-gnu-gcc; \
      export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc; \
      export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc; \
      export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc; \
      folder=target/$CARGO_BUILD_TARGET; strip=$cpu-linux-gnu-strip; \
    fi; \
    cargo build --locked --profile "$PROFILE" --bin aws-iam-gitops; \
    [ "$PROFILE" != dev ] || PROFILE=debug; \
    "$strip" -o /image/aws-iam-gitops "$folder/$PROFILE/aws-iam-gitops"; \
    find /image -exec touch --no-dereference --date=@0 {} +

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/aws-iam-gitops"]
