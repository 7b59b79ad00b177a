import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

/** Something components watch: a value that changes, and a signal that says so. */
export abstract class Model implements IDisposable {
  /** Emitted after every change of the public state. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Rises by one with every change; lets React see that a model is new. */
  get revision(): number {
    return this._revision;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  protected notify(): void {
    if (!this._isDisposed) {
      this._revision += 1;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _revision = 0;
  private _isDisposed = false;
}

/** The sentence to show for a caught value. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
