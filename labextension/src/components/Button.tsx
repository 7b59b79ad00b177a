import type { LabIcon } from '@jupyterlab/ui-components';
import type { ButtonHTMLAttributes } from 'react';

interface IButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** `primary` is the one thing to do here; `quiet` has no border. */
  look?: 'primary' | 'normal' | 'quiet' | 'danger';
  testid?: string;
}

export function Button({ look = 'normal', testid, className = '', ...rest }: IButtonProps): JSX.Element {
  return (
    <button type="button" {...rest} data-testid={testid} className={`carrel-Button carrel-mod-${look} ${className}`} />
  );
}

interface IIconButtonProps extends IButtonProps {
  icon: LabIcon;
  /** Spoken name and tooltip. */
  label: string;
}

export function IconButton({ icon, label, className = '', ...rest }: IIconButtonProps): JSX.Element {
  return (
    <Button look="quiet" {...rest} className={`carrel-IconButton ${className}`} aria-label={label} title={label}>
      <icon.react tag="span" className="carrel-IconButton-icon" aria-hidden="true" />
    </Button>
  );
}
