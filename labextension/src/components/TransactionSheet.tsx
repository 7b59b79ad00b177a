import { copyText } from './clipboard';
import { useCarrel, useModel, useTrans } from './context';
import { Button } from './Button';
import type { ITrackedJob } from '../models/jobs';
import type { ChangesModel } from '../models/changes';
import { Notice } from './Notice';
import { OtherEnvironment } from './OtherEnvironment';
import { PlanReview } from './PlanReview';
import { Progress } from './Progress';
import { sentence, WaysOut } from './WaysOut';

/** The change under way: its plan when it is worth a look, its progress, its end. */
export function TransactionSheet(): JSX.Element | null {
  const { changes, jobs, packages } = useCarrel();
  const trans = useTrans();
  useModel(changes);
  useModel(jobs);
  const job = changes.jobId ? jobs.get(changes.jobId) : undefined;
  switch (changes.state) {
    case 'planning':
    case 'applying':
      return (
        <div className="carrel-Sheet" data-testid="carrel-transaction" data-state={changes.state}>
          <div className="carrel-Sheet-head">
            <strong>{title(changes, name => packages.find(name) !== undefined, trans)}</strong>
          </div>
          <OtherEnvironment />
          <div className="carrel-Sheet-progress">
            <Progress job={job} />
            <Button testid="carrel-cancel" onClick={() => void changes.cancel()}>
              {trans.__('Cancel')}
            </Button>
          </div>
        </div>
      );
    case 'review':
      return changes.plan && <PlanReview plan={changes.plan} />;
    case 'failed':
      return <Failed job={job} />;
    default:
      return null;
  }
}

/** What went wrong, and what is possible instead. */
function Failed({ job }: { job: ITrackedJob | undefined }): JSX.Element {
  const { changes } = useCarrel();
  const trans = useTrans();
  return (
    <div
      className="carrel-Sheet"
      role="group"
      aria-label={trans.__('Change that failed')}
      data-testid="carrel-transaction"
      data-state="failed"
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          changes.dismiss();
        }
      }}
    >
      <OtherEnvironment />
      <Notice kind="error">
        <strong>
          {changes.unsolvable
            ? trans.__('This change is not possible. Nothing was changed.')
            : changes.lost
              ? trans.__('How this ended is not known. Look at the installed packages.')
              : trans.__('Nothing was changed.')}
        </strong>
        <div className="carrel-Error">{changes.error}</div>
      </Notice>
      {changes.unsolvable && <WaysOut ways={changes.waysOut} />}
      <div className="carrel-Sheet-buttons">
        {!changes.unsolvable && (
          <Button look="primary" onClick={() => void changes.retry()}>
            {trans.__('Try again')}
          </Button>
        )}
        <Button testid="carrel-cancel" onClick={() => changes.dismiss()}>
          {trans.__('Close')}
        </Button>
        <Button look="quiet" onClick={() => copyText(report(changes.error, job?.log))}>
          {trans.__('Copy report')}
        </Button>
        {changes.unsolvable && (
          <Button look="quiet" onClick={() => void changes.retry()}>
            {trans.__('Try again')}
          </Button>
        )}
      </div>
    </div>
  );
}

function title(
  changes: ChangesModel,
  isInstalled: (name: string) => boolean,
  trans: ReturnType<typeof useTrans>
): string {
  if (changes.way) {
    return sentence(changes.way.text);
  }
  const { add = [], remove = [], update = [] } = changes.change;
  const total = add.length + remove.length + update.length;
  if (total === 1 && add.length === 1) {
    return isInstalled(add[0].name) ? trans.__('Updating %1', add[0].name) : trans.__('Installing %1', add[0].name);
  }
  if (total === 1 && remove.length === 1) {
    return trans.__('Removing %1', remove[0]);
  }
  if (total === 1) {
    return trans.__('Updating %1', update[0]);
  }
  return total === 0 ? trans.__('Restoring packages') : trans._n('Changing %1 package', 'Changing %1 packages', total);
}

function report(error: string | null, log: readonly string[] = []): string {
  return [error ?? '', ...log].join('\n');
}
