import { IsEmail, IsPositive, Matches } from 'class-validator';

export class InvoiceDto {
  @Matches(/^[A-Z]\d{1,8}$/)
  number!: string;

  @IsEmail()
  to!: string;

  @IsPositive()
  amount!: number;

  get text(): string {
    return `Invoice ${this.number}: please pay ${this.amount.toFixed(2)}.`;
  }
}
