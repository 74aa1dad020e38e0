// The list of jobs: polled while something runs; progress, time left, cancel, go on.

import { get, post } from "/page/api.js";
import { button, complain, element, tried } from "/page/dom.js";

export const ACTIVE = ["waiting", "running"];
const MAKES = ["make", "style", "edit", "wear", "compose", "photo"];
const ASIDE = ["wall", "align"];  // seen where they were asked for, once they are done
const SEEN_FROM = "rendering for splats";  // a portrait whose page takes a minute is a picture till then
const BUSY_MS = 600, IDLE_MS = 5000;

export class Jobs {
  constructor(stage) {
    this.stage = stage;
    this.list = document.getElementById("job-list");
    this.watched = new Map();
    this.polling = false;
    this.again = false;
  }

  // Queue a task; onChange hears of it until it has ended.
  async ask(path, settings, onChange = () => {}) {
    const job = await post(path, settings);
    this.watched.set(job.id, onChange);
    this.poll();
    return job;
  }

  // Queue a task that makes a portrait: the stage shows how far it is, and then the portrait.
  make(path, settings, status, onChange = () => {}) {
    let early = false;
    return this.ask(path, settings, (job) => {
      status.textContent = said(job);
      this.stage.wait(job.id, ACTIVE.includes(job.state) ? `${job.title}: ${said(job)}` : null);
      const seen = job.state === "running" && job.stage === SEEN_FROM && !early;
      early ||= seen;
      if (seen || job.state === "done") this.stage.showId(job.id).catch(complain);
      onChange(job);
    });
  }

  async poll() {
    clearTimeout(this.timer);
    if (this.polling) { this.again = true; return; }
    this.polling = true;
    let busy = false;
    try {
      const jobs = await get("jobs");
      this.show(jobs);
      for (const job of jobs) {
        busy ||= ACTIVE.includes(job.state);
        const onChange = this.watched.get(job.id);
        if (onChange === undefined) continue;
        if (!ACTIVE.includes(job.state)) this.watched.delete(job.id);
        onChange(job);
      }
    } catch (problem) {
      complain(problem);
    }
    this.polling = false;
    const wait = this.again ? 0 : busy ? BUSY_MS : IDLE_MS;
    this.again = false;
    this.timer = setTimeout(() => this.poll(), wait);
  }

  show(all) {
    const jobs = all.filter((job) => !(ASIDE.includes(job.kind) && ["done", "cancelled"].includes(job.state)));
    document.getElementById("no-jobs").hidden = jobs.length > 0;
    const seen = JSON.stringify(jobs);
    if (seen === this.seen) return;
    this.seen = seen;
    const focused = document.activeElement?.dataset?.of;
    this.list.replaceChildren(...jobs.map((job) => this.entry(job)));
    if (focused) this.list.querySelector(`[data-of="${focused}"]`)?.focus();
  }

  entry(job) {
    const shown = element("li", { "data-job": job.id, "data-state": job.state, "data-kind": job.kind });
    shown.append(element("strong", {}, job.title));
    if (job.state === "running") shown.append(bar(job));
    shown.append(element("p", { className: `hint ${job.state}` }, said(job)));
    for (const note of job.notes) shown.append(element("p", { className: "hint" }, note));
    const row = element("div", { className: "row" });
    if (ACTIVE.includes(job.state)) row.append(this.acting("Cancel", job, "cancel"));
    if (job.resumable) row.append(this.acting(job.state === "failed" ? "Try again" : "Go on", job, "resume"));
    if (job.state === "done" && MAKES.includes(job.kind)) {
      row.append(button("Show", tried(() => this.stage.showId(job.id)), { "data-of": `show-${job.id}`, "aria-label": `Show: ${job.title}` }));
    }
    if (job.state === "done" && job.kind === "export") {
      row.append(element("a", { className: "button", href: `/api/exports/${job.id}`, download: "portrait.zip" }, "Download"));
    }
    if (row.childElementCount) shown.append(row);
    return shown;
  }

  acting(text, job, action) {
    const act = tried(async () => {
      await post(`jobs/${job.id}/${action}`);
      this.poll();
    });
    return button(text, act, { "data-of": `${action}-${job.id}`, "aria-label": `${text}: ${job.title}` });
  }
}

function bar(job) {
  const properties = job.total ? { max: job.total, value: job.done } : {};
  return element("progress", { ...properties, "aria-label": job.stage || "starting" });
}

export function said(job) {
  if (job.state === "waiting") return job.before ? `waiting, ${job.before} before it` : "waiting, it is the next";
  if (job.state === "done") return `done in ${time(job.seconds)}`;
  if (job.state === "cancelled") return `cancelled after ${time(job.seconds)}`;
  if (job.state === "failed") return job.error ?? "failed";
  if (job.state === "interrupted") return job.error ?? "stopped when the studio was closed; it can go on";
  const left = job.seconds_left === null ? time(job.seconds) : `about ${roughly(job.seconds_left)} left`;
  return `${job.stage || "loading models"}, ${left}`;
}

function roughly(seconds) {
  return seconds < 90 ? `${5 * Math.ceil(seconds / 5)} s` : `${Math.round(seconds / 60)} min`;
}

function time(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
