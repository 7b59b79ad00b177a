import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useRef, useState } from 'react';
import { fraction, type ITrackedJob } from '../models/jobs';
import { useTrans } from './context';
import { formatAmount } from './format';

/** The word for a stage as the server names it. */
export function stageLabel(stage: string | null, trans: TranslationBundle): string {
  const labels: Record<string, string> = {
    queue: trans.__('Waiting'),
    wait: trans.__('Waiting'),
    copy: trans.__('Copying'),
    build: trans.__('Building'),
    compile: trans.__('Compiling'),
    warning: trans.__('Checking'),
    index: trans.__('Reading the channels'),
    solve: trans.__('Solving'),
    plan: trans.__('Solving'),
    fetch: trans.__('Fetching'),
    download: trans.__('Downloading'),
    unlink: trans.__('Removing'),
    link: trans.__('Installing'),
    install: trans.__('Installing'),
    verify: trans.__('Verifying'),
    restore: trans.__('Restoring'),
    capture: trans.__('Capturing the environment'),
    scan: trans.__('Looking for secrets'),
    check: trans.__('Checking'),
    upload: trans.__('Uploading'),
    publish: trans.__('Publishing'),
    kernel: trans.__('Registering the kernel')
  };
  return stage ? (labels[stage] ?? stage) : trans.__('Starting');
}

/** Text that changes at most every two seconds, so that a screen reader can follow. */
function useThrottled(text: string): string {
  const [said, setSaid] = useState(text);
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const timer = window.setInterval(() => setSaid(latest.current), 2000);
    return () => window.clearInterval(timer);
  }, []);
  return said;
}

/** Where a job stands: stage, amount and a bar. */
export function Progress({ job }: { job: ITrackedJob | undefined }): JSX.Element {
  const trans = useTrans();
  const part = job ? fraction(job) : null;
  const stage = stageLabel(job?.stage ?? null, trans);
  const amount = job && job.total && job.done !== null ? formatAmount(job.done, job.total, job.unit) : '';
  const spoken = useThrottled(`${stage} ${amount}`);
  const percent = part === null ? undefined : Math.round(part * 100);
  return (
    <div className="carrel-Progress">
      <div className="carrel-Progress-text">
        <span className="carrel-Progress-stage">{stage}</span>
        <span className="carrel-Progress-amount">{amount}</span>
      </div>
      <div
        className={`carrel-Progress-track ${part === null ? 'carrel-mod-indeterminate' : ''}`}
        role="progressbar"
        aria-label={job?.title ?? stage}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={`${stage} ${amount}`}
      >
        <div className="carrel-Progress-bar" style={percent === undefined ? undefined : { width: `${percent}%` }} />
      </div>
      <span className="carrel-visuallyHidden" role="status">
        {spoken}
      </span>
    </div>
  );
}
