import { expect as jestExpect } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Task } from '../../lib/index.js';
import {
  FlowrraTesting,
  flowrraMatchers,
  type FlowrraMatchers,
  FlowrraTestingModule,
} from '../../lib/testing/index.js';

declare module 'expect' {
  interface Matchers<R> extends FlowrraMatchers<R> {}
}
declare global {
  namespace jest {
    interface Matchers<R> extends FlowrraMatchers<R> {}
  }
}

jestExpect.extend(flowrraMatchers);

@Injectable()
class Mail {
  @Task()
  send(_to: string, _n: number): void {}
}

it('tells whether a job was submitted, and what was submitted instead', async () => {
  const module = await Test.createTestingModule({
    imports: [FlowrraTestingModule.forRoot({ mode: 'fake' })],
    providers: [Mail],
  }).compile();
  await module.init();
  const flowrra = module.get(FlowrraTesting);
  jestExpect(flowrra).not.toHaveSubmitted(Mail, 'send');
  await flowrra.tasks(Mail).send('ada', 1);
  jestExpect(flowrra).toHaveSubmitted(Mail, 'send');
  jestExpect(flowrra).toHaveSubmitted('Mail.send', ['ada', jestExpect.any(Number)]);
  jestExpect(flowrra).not.toHaveSubmitted(Mail, 'send', ['bob', 1]);
  // The global one as well.
  expect(flowrra).toHaveSubmitted(Mail, 'send', ['ada', 1]);
  // @ts-expect-error no method of that class
  expect(() => expect(flowrra).toHaveSubmitted(Mail, 'sends')).toThrow(/No task is called/);
  expect(() => jestExpect(flowrra).toHaveSubmitted(Mail, 'send', ['bob', 1])).toThrow(
    "Expected that a job of Mail.send with ['bob', 1] was submitted. Submitted: with ['ada', 1].",
  );
  expect(() => jestExpect(flowrra).not.toHaveSubmitted('Mail.send')).toThrow(
    'Expected that no job of Mail.send was submitted.',
  );
  await module.close();
});
