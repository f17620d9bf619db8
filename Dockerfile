# Lapel's server. Built for a processor by default; for an NVIDIA card:
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 -t lapel .
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build
COPY pyproject.toml constraints.txt ./

# The build for a processor is a tenth of PyPI's, which brings CUDA's libraries. Of torch's index
# only torch is taken: what it needs comes from PyPI, at the tested versions.
RUN grep -E '^(torch|torchvision)==' constraints.txt > torch.txt \
    && pip install --no-deps --index-url "$TORCH_INDEX" --requirement torch.txt

# What Lapel needs, before Lapel itself: a changed line of it does not fetch all this again.
# opencv-python needs libGL, which this image has not; the headless build is the same cv2.
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['postgres'], *p['optional-dependencies']['milvus'], sep='\n')" > needed.txt \
    && pip install --constraint constraints.txt --requirement needed.txt \
    && pip uninstall --yes opencv-python \
    && pip install --no-deps "opencv-python-headless==$(sed -n 's/^opencv-python==//p' constraints.txt)" \
    && python -c 'import cv2, faiss, torch'

COPY README.md LICENSE ./
COPY indexer indexer
COPY search search
COPY api api
COPY migrations migrations
RUN pip install --no-deps . && rm -rf /build

# A number, so that an orchestrator can see that it is not root. Only /data is its own.
RUN useradd --uid 10001 --create-home lapel && install -d -o lapel -g lapel /data
USER 10001:10001
WORKDIR /data
ENV LAPEL_HOME=/data
VOLUME /data
EXPOSE 8000

# Models take some ten seconds to load on a slow disk; /healthz answers after that.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

# Refused as long as no key was made: see docker-compose.yml.
ENTRYPOINT ["lapel"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
