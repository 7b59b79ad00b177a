import type { CommandRegistry } from '@lumino/commands';
import type { TranslationBundle } from '@jupyterlab/translation';
import { createContext, useContext, useSyncExternalStore } from 'react';
import type { Model } from '../models/model';
import type { ICarrel } from '../tokens';

/** What every component can reach. */
export interface IEnvironmentOfComponents {
  carrel: ICarrel;
  commands: CommandRegistry;
}

const Context = createContext<IEnvironmentOfComponents | null>(null);

export const CarrelProvider = Context.Provider;

export function useCarrel(): ICarrel {
  return useContext(Context)!.carrel;
}

export function useCommands(): CommandRegistry {
  return useContext(Context)!.commands;
}

export function useTrans(): TranslationBundle {
  return useCarrel().trans;
}

/** Render again whenever `model` changes. */
export function useModel<M extends Model>(model: M): M {
  useSyncExternalStore(
    listener => {
      model.changed.connect(listener);
      return () => {
        model.changed.disconnect(listener);
      };
    },
    () => model.revision
  );
  return model;
}
