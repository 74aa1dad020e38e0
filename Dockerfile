# Triptych on a CPU.
#
#   docker build -t triptych .
#   docker run --rm -v "$PWD":/data triptych stylize "a bronze statue" --identity 7 --out bronze
FROM python:3.12-slim

# What OpenCV, which mediapipe brings, asks the system for.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install torch --index-url https://download.pytorch.org/whl/cpu

COPY pyproject.toml README.md LICENSE NOTICE /opt/triptych/
COPY src /opt/triptych/src
RUN pip install "/opt/triptych[photo,heic]" && rm -rf /opt/triptych

# Not root: files in a mounted folder belong to the first user of most systems.
RUN useradd --create-home --uid 1000 triptych && install -d -o triptych -g triptych /data
USER triptych
WORKDIR /data
ENTRYPOINT ["triptych"]
CMD ["--help"]
