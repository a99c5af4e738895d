import { Inject, Injectable } from '@nestjs/common';
import { Task } from 'flowrra';

@Injectable()
export class Rates {
  readonly vat = 0.2;
}

@Injectable()
export class Plain {
  @Task({ cpuBound: true, retryDelay: 1 })
  double(n: number): number {
    return n * 2;
  }
}

@Injectable()
export class Priced {
  constructor(readonly rates: Rates) {}

  @Task({ cpuBound: true, retryDelay: 1 })
  gross(net: number): number {
    return net * (1 + this.rates.vat);
  }
}

/** Without a constructor of its own, whose parameters would show. */
@Injectable()
export class Subpriced extends Priced {
  @Task({ cpuBound: true })
  override gross(net: number): number {
    return super.gross(net);
  }
}

@Injectable()
export class ByProperty {
  @Inject(Rates) readonly rates!: Rates;

  @Task({ cpuBound: true })
  gross(net: number): number {
    return net * (1 + this.rates.vat);
  }
}

@Injectable()
export class Inheriting extends Plain {}

@Injectable()
export class Extending extends Plain {
  @Task({ cpuBound: true })
  triple(n: number): number {
    return n * 3;
  }
}

@Injectable()
export class Optional {
  constructor(readonly factor = 5) {}

  @Task({ cpuBound: true })
  times(n: number): number {
    return n * this.factor;
  }
}

@Injectable()
export class NamedFile {
  @Task({ cpuBound: true, file: new URL('./nowhere.js', import.meta.url) })
  work(): void {}
}

/** As __filename is in a bundle: the file that the process was started with. */
@Injectable()
export class NamedEntry {
  @Task({ cpuBound: true, file: process.argv[1] as string })
  work(): void {}
}
