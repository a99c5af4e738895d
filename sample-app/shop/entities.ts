import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
export class Item {
  @PrimaryColumn('varchar')
  name!: string;

  @Column('int')
  stock!: number;

  @Column('int')
  price!: number;
}

@Entity('orders')
export class Order {
  @PrimaryColumn('varchar')
  id!: string;

  @Column('varchar')
  email!: string;

  @Column('varchar')
  item!: string;

  @Column('int')
  quantity!: number;
}

@Entity()
export class Payment {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('varchar')
  orderId!: string;

  @Column('int')
  amount!: number;
}
