import { useState } from 'react';
import { isFinal } from '../api';
import type { ITrackedJob } from '../models/jobs';
import type { IApplied, ICloned, JobState } from '../schemas';
import { Button } from './Button';
import { useCarrel, useModel, useTrans } from './context';
import { formatAgo } from './format';
import { Progress } from './Progress';
import { Section } from './Section';

/** Jobs shown. */
const MAX_JOBS = 20;

/** Running and past jobs. */
export function Activity(): JSX.Element | null {
  const { jobs } = useCarrel();
  const trans = useTrans();
  useModel(jobs);
  const items = jobs.items.filter(job => job.kind !== 'plan' || job.state === 'failed').slice(0, MAX_JOBS);
  if (items.length === 0) {
    return null;
  }
  const running = jobs.running.length;
  return (
    <Section
      title={trans.__('Activity')}
      note={running ? trans._n('%1 running', '%1 running', running) : undefined}
      testid="carrel-activity"
      defaultOpen={false}
    >
      <ul className="carrel-Jobs" aria-label={trans.__('Jobs')}>
        {items.map(job => (
          <JobRow key={job.id} job={job} />
        ))}
      </ul>
    </Section>
  );
}

function JobRow({ job }: { job: ITrackedJob }): JSX.Element {
  const { jobs, changes, environment } = useCarrel();
  const trans = useTrans();
  const [open, setOpen] = useState(false);
  const showLog = () => {
    setOpen(!open);
    void jobs.loadLog(job.id).catch(() => undefined);
  };
  const made = job.kind === 'apply' && job.state === 'done' ? (job.result as IApplied | null)?.revision : null;
  const copied = job.kind === 'clone' && job.state === 'done' ? (job.result as ICloned | null) : null;
  return (
    <li className="carrel-Job" data-testid="carrel-job" data-state={job.state} data-kind={job.kind}>
      <div className="carrel-Job-head">
        <span className="carrel-Job-text">
          <span className="carrel-Job-title">{job.title}</span>
          <span className="carrel-muted">
            {stateLabel(job.state, trans)}
            {job.finished_at && ` · ${formatAgo(job.finished_at)}`}
          </span>
        </span>
        {typeof made === 'number' && job.environment === environment.environment?.id && (
          <Button
            look="quiet"
            testid="carrel-undo"
            disabled={changes.busy}
            aria-label={trans.__('Undo: %1', job.title)}
            onClick={() => void changes.restore(job.environment!, made - 1)}
          >
            {trans.__('Undo')}
          </Button>
        )}
        {copied && copied.environment.id !== environment.environment?.id && (
          <Button
            look="quiet"
            testid="carrel-show-copy"
            aria-label={trans.__('Show %1', copied.environment.name)}
            onClick={() => environment.choose(copied.environment)}
          >
            {trans.__('Show')}
          </Button>
        )}
        {isFinal(job.state) && (
          <Button look="quiet" aria-expanded={open} aria-label={trans.__('Log of: %1', job.title)} onClick={showLog}>
            {trans.__('Log')}
          </Button>
        )}
      </div>
      {!isFinal(job.state) && (
        <div className="carrel-Sheet-progress">
          <Progress job={job} />
          <Button testid="carrel-job-cancel" onClick={() => void jobs.cancel(job.id)}>
            {trans.__('Cancel')}
          </Button>
        </div>
      )}
      {job.error && <div className="carrel-Error">{job.error.detail || job.error.message}</div>}
      {open && (
        <pre className="carrel-Log" tabIndex={0} aria-label={trans.__('Log')}>
          {job.log.join('\n') || trans.__('Nothing was written.')}
        </pre>
      )}
    </li>
  );
}

function stateLabel(state: JobState, trans: ReturnType<typeof useTrans>): string {
  const labels: Record<JobState, string> = {
    queued: trans.__('waiting'),
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  return labels[state];
}
