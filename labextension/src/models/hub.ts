import { ApiError, type CarrelApi } from '../api';
import type { IHubItem, INamespace, IPolicy, ISignInFlow, ISource, IStatus } from '../schemas';
import { errorText, Model } from './model';

/** Pause after the last key before the hub is searched, in milliseconds. */
const DEBOUNCE = 150;

/** Where a sign-in stands. */
export type SignInState = 'idle' | 'starting' | 'pending' | 'expired' | 'denied' | 'failed';

/** The hub: who is signed in, which sources it and the server offer, what is shared there. */
export class HubModel extends Model {
  constructor(
    private readonly _api: CarrelApi,
    private readonly _delay = DEBOUNCE
  ) {
    super();
  }

  get status(): IStatus | null {
    return this._status;
  }

  /** True when the Jupyter server has no `carrel` extension (JupyterLite, or an older installation). */
  get missingServer(): boolean {
    return this._missingServer;
  }

  get error(): string | null {
    return this._error;
  }

  get signedIn(): boolean {
    return !!this._status?.hub.user;
  }

  get policy(): IPolicy {
    return this._status?.policy ?? { allow_install: true, allow_publish: true, reason: null };
  }

  get sources(): readonly ISource[] {
    return this._status?.sources ?? [];
  }

  get namespaces(): readonly INamespace[] {
    return this._status?.hub.namespaces ?? [];
  }

  get signIn(): { state: SignInState; flow: ISignInFlow | null; error: string | null } {
    return { state: this._signInState, flow: this._flow, error: this._signInError };
  }

  get shared(): readonly IHubItem[] {
    return this._shared;
  }

  get sharedQuery(): string {
    return this._sharedQuery;
  }

  set sharedQuery(value: string) {
    this._sharedQuery = value;
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this.loadShared(), this._delay);
    this.notify();
  }

  get sharedLoading(): boolean {
    return this._sharedLoading;
  }

  get sharedError(): string | null {
    return this._sharedError;
  }

  /** The name to show for a source. */
  sourceName(id: string): string {
    return this.sources.find(source => source.id === id)?.name || id;
  }

  /** Read who is signed in, the policy and the sources. */
  async load(): Promise<void> {
    try {
      this._status = await this._api.status();
      this._error = null;
      this._missingServer = false;
    } catch (error) {
      this._error = errorText(error);
      this._missingServer = error instanceof ApiError && error.status === 404;
    }
    this.notify();
  }

  /** Read notebooks and environments that are shared with the user. */
  async loadShared(): Promise<void> {
    this._controller?.abort();
    const controller = (this._controller = new AbortController());
    this._sharedLoading = true;
    this.notify();
    try {
      const kinds = ['notebook', 'environment'];
      const items = await this._api.hubSearch(this._sharedQuery.trim(), kinds, controller.signal);
      if (controller.signal.aborted) {
        return;
      }
      this._shared = items;
      this._sharedError = null;
    } catch (error) {
      if (controller.signal.aborted) {
        return;
      }
      this._sharedError = errorText(error);
    }
    this._sharedLoading = false;
    this.notify();
  }

  /** Start signing in: the user confirms a code on the hub's own page, no password is typed in JupyterLab. */
  async startSignIn(hubUrl?: string): Promise<void> {
    this._setSignIn('starting');
    try {
      const flow = await this._api.signIn(hubUrl);
      this._setSignIn('pending', flow);
      void this._poll(flow);
    } catch (error) {
      this._signInError = errorText(error);
      this._setSignIn('failed');
    }
  }

  cancelSignIn(): void {
    this._setSignIn('idle');
  }

  async signOut(): Promise<void> {
    await this._api.signOut();
    await this.load();
    await this.loadShared();
  }

  override dispose(): void {
    window.clearTimeout(this._timer);
    window.clearTimeout(this._pollTimer);
    this._controller?.abort();
    super.dispose();
  }

  private async _poll(flow: ISignInFlow): Promise<void> {
    while (!this.isDisposed && this._flow === flow && this._signInState === 'pending') {
      await new Promise(resolve => {
        this._pollTimer = window.setTimeout(resolve, Math.max(1, flow.interval) * 1000);
      });
      if (this._flow !== flow) {
        return;
      }
      try {
        const { state } = await this._api.signInState(flow.flow);
        if (this._flow !== flow || state === 'pending') {
          continue;
        }
        this._setSignIn(state === 'done' ? 'idle' : state);
        if (state === 'done') {
          await this.load();
          await this.loadShared();
        }
      } catch (error) {
        if (error instanceof ApiError) {
          this._signInError = errorText(error);
          this._setSignIn('failed');
        }
      }
    }
  }

  private _setSignIn(state: SignInState, flow: ISignInFlow | null = null): void {
    this._signInState = state;
    this._flow = flow;
    if (state !== 'failed') {
      this._signInError = null;
    }
    this.notify();
  }

  private _status: IStatus | null = null;
  private _missingServer = false;
  private _error: string | null = null;
  private _signInState: SignInState = 'idle';
  private _signInError: string | null = null;
  private _flow: ISignInFlow | null = null;
  private _shared: IHubItem[] = [];
  private _sharedQuery = '';
  private _sharedLoading = false;
  private _sharedError: string | null = null;
  private _timer = 0;
  private _pollTimer = 0;
  private _controller: AbortController | null = null;
}
