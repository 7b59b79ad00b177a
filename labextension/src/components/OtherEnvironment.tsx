import { useCarrel, useModel, useTrans } from './context';

/** The name of the environment that is changed, where another one is shown. */
export function OtherEnvironment(): JSX.Element | null {
  const { changes, environment } = useCarrel();
  const trans = useTrans();
  useModel(environment);
  const { subject } = changes;
  return subject && subject.id !== environment.environment?.id ? (
    <p className="carrel-muted" data-testid="carrel-other-environment">
      {trans.__('In the environment %1, not the one shown.', subject.name)}
    </p>
  ) : null;
}
