import { applyDecorators, SetMetadata } from '@nestjs/common';
import { Task } from 'flowrra';

export function CpuTask() {
  return applyDecorators(SetMetadata('kind', 'cpu'), Task({ cpuBound: true }) as MethodDecorator);
}

export function NamedCpuTask(name: string): MethodDecorator {
  return (target, key, descriptor) => {
    (Task({ cpuBound: true, name }) as MethodDecorator)(target, key, descriptor);
  };
}
