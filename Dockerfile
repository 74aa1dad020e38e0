# Triptych on a CPU.
#
#   docker build -t triptych .
#   docker run --rm -p 127.0.0.1:7860:7860 -v "$PWD":/data triptych          # the studio, in /data/studio
#   docker run --rm -v "$PWD":/data triptych stylize "a bronze statue" --identity 7 --out bronze
FROM python:3.12-slim

# What OpenCV, which mediapipe brings, asks the system for.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install "torch<2.14" --index-url https://download.pytorch.org/whl/cpu

COPY pyproject.toml README.md LICENSE NOTICE /opt/triptych/
COPY src /opt/triptych/src
RUN pip install "/opt/triptych[photo,heic,studio]" && rm -rf /opt/triptych

# Not root: files in a mounted folder belong to the first user of most systems.
RUN useradd --create-home --uid 1000 triptych && install -d -o triptych -g triptych /data
USER triptych
WORKDIR /data
EXPOSE 7860
# Within the container all addresses; who reaches the port is decided where it is published.
ENTRYPOINT ["triptych"]
CMD ["studio", "--host", "0.0.0.0", "--port", "7860", "--no-browser", "--out", "/data/studio"]
