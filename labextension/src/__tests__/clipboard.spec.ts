import { afterEach, describe, expect, it, vi } from 'vitest';
import { copyText } from '../components/clipboard';
import { settle } from './fakes';

describe('copying text', () => {
  afterEach(() => vi.unstubAllGlobals());

  it.each([
    ['without HTTPS', undefined],
    ['when the browser refuses', { writeText: () => Promise.reject(new Error('no')) }]
  ])('works %s', async (_, clipboard) => {
    vi.stubGlobal('navigator', { clipboard });
    const setData = vi.fn();
    Object.assign(document, {
      execCommand: () => document.dispatchEvent(Object.assign(new Event('copy'), { clipboardData: { setData } }))
    });
    copyText('conda install polars');
    await settle();
    expect(setData.mock.calls).toEqual([['text/plain', 'conda install polars']]);
  });
});
