import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Model } from '../model';

export const ModelContext = createContext<Model | null>(null);

export function useModel(): Model {
  const model = useContext(ModelContext);
  if (!model) throw new Error('used outside of a workspace');
  return model;
}
