// sample-app/ranking/ranking.tasks.ts
import { Injectable } from '@nestjs/common';
import { Task } from 'flowrra';

@Injectable()
export class Weights {
  readonly of = { likes: 2, shares: 5 };
}

export interface Post {
  title: string;
  likes: number;
  shares: number;
}

@Injectable()
export class RankingTasks {
  constructor(private readonly weights: Weights) {}

  @Task({ cpuBound: true })
  rank(posts: Post[]): string[] {
    const { likes, shares } = this.weights.of;
    const score = (post: Post): number => likes * post.likes + shares * post.shares;
    return posts.toSorted((a, b) => score(b) - score(a)).map(({ title }) => title);
  }
}
