export class NotTheDefault {}
